/** Texts of the app: each folder has its own `texts.ts`, in English; other languages are loaded when they are chosen. */

export { formatCount, formatDay, formatList, formatRelative, formatSize, formatTime } from "./format.ts";
export { applyLanguage, direction, LANGUAGES, type Language, language } from "./language.ts";
export { define, type Translate, translate, useTexts } from "./texts.ts";
