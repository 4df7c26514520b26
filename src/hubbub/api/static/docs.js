// Follows the system's light or dark, and loads the viewer from this server.
const viewer = document.querySelector("rapi-doc");
const dark = matchMedia("(prefers-color-scheme: dark)");

const LIGHT = { theme: "light", "bg-color": "#ffffff", "text-color": "#1c2230", "primary-color": "#4a3fd1", "nav-bg-color": "#f5f5f8", "nav-text-color": "#414a5c" };
const DARK = { theme: "dark", "bg-color": "#14161c", "text-color": "#dfe3ec", "primary-color": "#9d95ff", "nav-bg-color": "#1a1d25", "nav-text-color": "#b4bccb" };

function paint() {
  for (const [name, value] of Object.entries(dark.matches ? DARK : LIGHT)) viewer.setAttribute(name, value);
}

paint();
dark.addEventListener("change", paint);
import("./rapidoc.js");
