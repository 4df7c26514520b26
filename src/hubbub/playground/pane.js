// One client on the page: its session with the server, and everything that shows what the session sees.

import { hue, initial, plural } from "./dom.js";
import { HubbubClient } from "./hubbub-client.js";
import * as transports from "./hubbub-transports.js";
import { Inspector } from "./inspector.js";
import { MessageList } from "./messages.js";
import { PresenceList } from "./presence.js";

export class Pane {
  #client = null;
  #channel;
  #user;
  #away = false; // whether the session was down since the channel was entered
  #dropped = false;
  #find;
  #messages;
  #presence;
  #inspector;
  #options;

  /**
   * @param {HTMLElement} root a copy of the page's client template
   * @param {object} options
   * @param {string} options.base URL of the server, ending in "/"
   * @param {string} options.user first user name; people may change it
   * @param {string} options.channel
   * @param {(user: string) => Promise<string>} options.token
   * @param {(pane: Pane, change: {version?: string}) => void} options.changed the name, state or unread count
   */
  constructor(root, options) {
    this.root = root;
    this.unread = 0;
    this.tone = "wait";
    this.#options = options;
    this.#user = options.user;
    this.#channel = options.channel;
    this.#find = (selector) => root.querySelector(selector);
    this.#messages = new MessageList(this.#find(".messages"), this.#find(".more"));
    this.#presence = new PresenceList(this.#find(".presence"));
    this.#inspector = new Inspector(this.#find(".inspector"), (command) => this.#client.command(command));
    for (const [name, { label }] of Object.entries(transports.choices)) {
      this.#find(".transport").add(new Option(label, name));
    }
    this.#listen();
    this.#rename();
    this.#start();
  }

  get user() {
    return this.#user;
  }

  /** Move to another channel. */
  set channel(channel) {
    this.#client.unsubscribe(this.#channel);
    this.#channel = channel;
    this.#follow();
  }

  // --- what people do ------------------------------------------------------------------------------------

  #listen() {
    const name = this.#find(".name-input");
    name.onchange = () => {
      const wanted = name.value.trim();
      if (wanted && wanted !== this.#user) {
        this.#user = wanted;
        this.#rename();
        this.#start();
      } else {
        name.value = this.#user;
      }
    };
    name.onkeydown = ({ key }) => key === "Enter" && name.blur();
    this.#find(".transport").onchange = ({ target }) => this.#client.use(transports.choices[target.value].open);
    this.#find(".drop").onclick = () => {
      if (this.#client.state === "ended") this.#client.start();
      else if (this.#client.state === "dropped") this.#client.restore();
      else this.#client.drop();
    };
    this.#find(".composer").onsubmit = (event) => {
      event.preventDefault();
      const input = this.#find(".composer-input");
      if (input.value.trim()) this.#say(input.value);
      input.value = "";
    };
    this.#find(".earlier").onclick = () => this.#showEarlier();
  }

  async #say(text) {
    const waiting = this.#client.state === "live" ? null : this.#messages.pending(text);
    this.#draw();
    try {
      await this.#client.publish(this.#channel, { text });
      waiting?.remove();
    } catch (error) {
      (waiting ?? this.#messages.pending(text)).fail(error.message);
    }
    this.#draw();
  }

  async #showEarlier() {
    this.#find(".earlier").hidden = true;
    const { result } = await this.#client.command({
      type: "history",
      channel: this.#channel,
      limit: 100,
      reverse: true,
    });
    this.#messages.earlier(result.publications.reverse());
    this.#draw();
  }

  #rename() {
    this.#find(".name-input").value = this.#user;
    const avatar = this.#find(".name .avatar");
    avatar.textContent = initial(this.#user);
    avatar.dataset.hue = hue(this.#user);
    this.root.setAttribute("aria-label", `Client ${this.#user}`);
    this.#find(".messages").setAttribute("aria-label", `Messages that ${this.#user} sees`);
    this.#find(".composer-input").placeholder = `Message as ${this.#user}`;
    this.#messages.user = this.#user;
    this.#inspector.label = this.#user;
    this.#options.changed(this, {});
  }

  // --- the session ---------------------------------------------------------------------------------------

  #start() {
    this.#client?.stop();
    const user = this.#user;
    this.#client = new HubbubClient({
      base: this.#options.base,
      token: () => this.#options.token(user),
      transport: transports.choices[this.#find(".transport").value].open,
      onState: (state, detail) => this.#entered(state, detail),
      onFrame: (frame) => this.#inspector.add(frame),
    });
    this.#follow();
    this.#client.start();
  }

  #follow() {
    this.#away = false;
    this.#messages.clear();
    this.#presence.clear();
    this.#find(".earlier").hidden = true;
    const channel = this.#channel;
    this.#client.subscribe(channel, {
      subscribed: ({ position }) => {
        if (this.#client.state === "live") this.#show("good", "Live");
        if (position?.offset) this.#offerEarlier(position.offset);
        this.#askPresence();
      },
      publication: (publication) => this.#received(publication),
      recovered: (publications) => {
        const { length } = publications;
        if (length) this.#messages.divider("good", `Recovered ${plural(length, "missed message")}`);
        else this.#messages.divider("quiet", "Back, nothing missed");
        for (const each of publications) this.#received(each, { recovered: true });
        this.#show("good", length ? `Live · recovered ${length} missed` : "Live · nothing missed");
        this.#askPresence();
      },
      gap: ({ reason }) => {
        this.#messages.divider("bad", `Gap: messages may be missing here (${reason})`);
        this.#show("warn", "Live · gap");
        this.#askPresence();
        this.#draw();
      },
      join: (member) => this.#presence.join(member),
      leave: (member) => this.#presence.leave(member),
      refused: (error) => this.#show("bad", `Not in ${channel}: ${error.message}`),
      unsubscribed: ({ reason }) => this.#show("bad", `Not in ${channel}: ${reason}`),
    });
    this.#draw();
  }

  #askPresence() {
    this.#presence.refresh(async () => {
      const { result } = await this.#client.command({ type: "presence", channel: this.#channel });
      return result;
    });
  }

  #received(publication, { recovered = false } = {}) {
    this.#messages.publication(publication, { recovered });
    if (publication.sender !== this.#user) this.unread++;
    this.#draw();
    this.#options.changed(this, {});
  }

  #offerEarlier(count) {
    const earlier = this.#find(".earlier");
    earlier.textContent = `Show ${plural(Math.min(count, 100), "earlier message")}`;
    earlier.hidden = false;
  }

  #entered(state, detail) {
    this.#dropped = state === "dropped";
    switch (state) {
      case "idle":
        return;
      case "connecting":
        if (!this.#away) this.#show("wait", "Connecting");
        break;
      case "resuming":
        this.#show("wait", "Resuming");
        break;
      case "live":
        this.#show("good", "Live");
        break;
      case "offline":
        this.#away = true;
        this.#show("warn", "Offline · trying again");
        break;
      case "dropped":
        this.#away = true;
        this.#presence.clear("Not known while offline");
        this.#show("bad", "Offline · network dropped");
        break;
      case "ended":
        this.#show("bad", `Ended · ${detail.reason}`);
        break;
    }
    this.#options.changed(this, detail);
    this.#draw();
  }

  // --- drawing -------------------------------------------------------------------------------------------

  #show(tone, text) {
    this.tone = tone;
    this.#find(".state").dataset.tone = tone;
    this.#find(".state-text").textContent = text;
    this.#options.changed(this, {});
  }

  #draw() {
    const drop = this.#find(".drop");
    drop.textContent = this.#dropped ? "Restore the network" : "Drop the network";
    if (this.#client?.state === "ended") drop.textContent = "Connect again";
    drop.classList.toggle("primary", drop.textContent !== "Drop the network");
    this.root.classList.toggle("is-dropped", this.#dropped);
    this.#find(".empty").hidden = this.#find(".message-list").childElementCount > 0;
  }
}
