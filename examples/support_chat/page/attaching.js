// Files that are to go with a message: chosen, dropped or pasted, and on their way while one writes.
import { upload } from "./files.js";
import { make } from "./dom.js";

/** A button beside the form's text. The function that is returned takes what was attached so far. */
export function attach(form) {
  let attached = [];
  const list = make("ul", { className: "attached", ariaLabel: "Attached", hidden: true });
  const input = make("input", { type: "file", multiple: true, className: "quiet", ariaLabel: "Attach files" });
  const label = make("label", { className: "attach", title: "Attach files" }, input, make("span", { ariaHidden: "true" }, "+"));
  form.querySelector("textarea").after(label);
  form.prepend(list);

  function add(files) {
    for (const file of files) {
      const one = { name: file.name, done: 0 };
      one.id = upload(file, (part) => ((one.done = part), draw()));
      one.id.catch(({ message }) => ((one.problem = message), draw()));
      attached.push(one);
    }
    draw();
  }

  function draw() {
    list.hidden = !attached.length;
    list.replaceChildren(...attached.map((one) => {
      const remove = make("button", { type: "button", ariaLabel: `Remove ${one.name}` }, "✕");
      remove.onclick = () => ((attached = attached.filter((each) => each !== one)), draw(), input.focus());
      const far = one.problem ?? (one.done < 1 && `${Math.round(one.done * 100)} %`);
      return make("li", {}, make("span", { className: "file-name" }, one.name), far && make("small", {}, far), remove);
    }));
  }

  input.onchange = () => (add(input.files), (input.value = ""));
  form.addEventListener("paste", ({ clipboardData }) => add(clipboardData.files));
  form.addEventListener("dragover", (event) => event.preventDefault());
  form.addEventListener("drop", (event) => (event.preventDefault(), add(event.dataTransfer.files)));
  return () => {
    const taken = attached;
    attached = [];
    draw();
    return taken;
  };
}
