/** The sound of a new message: two short soft tones, made here, so that there is no file to load. */

let context: AudioContext | undefined;
let last = 0;
const PAUSE = 1500; // milliseconds between two, however many messages come

export function beep(): void {
  const now = Date.now();
  if (now - last < PAUSE || typeof AudioContext === "undefined") return;
  if (!navigator.userActivation.hasBeenActive) return; // browsers allow none before the first click
  last = now;
  context ??= new AudioContext();
  if (context.state === "suspended") {
    void context.resume().catch(() => undefined);
    return;
  }
  tone(context, 660, 0);
  tone(context, 880, 0.09);
}

function tone(audio: AudioContext, frequency: number, after: number): void {
  const start = audio.currentTime + after;
  const oscillator = audio.createOscillator();
  const gain = audio.createGain();
  oscillator.frequency.value = frequency;
  gain.gain.setValueAtTime(0, start);
  gain.gain.linearRampToValueAtTime(0.06, start + 0.01);
  gain.gain.exponentialRampToValueAtTime(0.0001, start + 0.16);
  oscillator.connect(gain).connect(audio.destination);
  oscillator.start(start);
  oscillator.stop(start + 0.18);
}
