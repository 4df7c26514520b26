// What a message consists of: texts, files, cards.
import { download, picture, size } from "./files.js";
import { call } from "./asking.js";
import { shown } from "./desk.js";
import { make } from "./dom.js";

export const PARTS = { // what is pressed, by data-do
  download: ({ file }) => download(file),
  press: ({ seq }, action) => call("cards.press", { conversation: shown.id, message: Number(seq), action }, crypto.randomUUID()),
};

const isPicture = ({ media_type = "", thumbnails = [] }) => media_type.startsWith("image/") && thumbnails.length > 0;

/** What the drawing of the parts hangs on beside them. */
export const urlsOf = (parts = []) => parts.filter(isPicture).map(({ file }) => picture(file, 0) ?? "");

/** `answer` is what the program of a card has said to this user alone. */
export function drawParts(parts, seq, closed, answer) {
  return parts.map((part) => {
    if (part.type === "text") return make("p", { className: "text" }, part.text);
    if (part.type === "file") return drawFile(part);
    if (part.type === "card") return drawCard(part, seq, closed, answer);
    return make("p", { className: "text gone" }, `[${part.type}]`);
  });
}

function drawFile({ file, name, size: bytes, caption, media_type, thumbnails }) {
  const button = { "data-do": "download", "data-file": file };
  const what = [make("span", { className: "quiet" }, "Download "), make("span", { className: "file-name" }, name)];
  if (isPicture({ media_type, thumbnails })) {
    const [{ width, height }] = thumbnails;
    const src = picture(file, 0);
    return make("button", { className: "picture", ...button },
      make("img", { ...(src && { src }), alt: caption ?? "", width, height }), what);
  }
  return make("button", { className: "file", ...button },
    make("span", { ariaHidden: "true" }, "↓"), what, make("small", {}, size(bytes)));
}

function drawCard({ title, text, actions = [] }, seq, closed, answer) {
  const buttons = actions.filter(({ type }) => type === "button"); // a select and an input would be drawn here, too
  return make("section", { className: "card", ariaLabel: title },
    title && make("h3", {}, title),
    text && make("p", {}, text),
    buttons.length > 0 && make("div", { className: "acts" }, buttons.map(({ id, label, style, url }) =>
      url
        ? make("a", { href: url, rel: "noreferrer", target: "_blank" }, label)
        : make("button", { className: style, "data-do": `press ${id}`, "data-seq": seq, disabled: closed }, label))),
    answer && make("p", { className: "answer" }, answer, make("small", {}, " (only you see this)")));
}
