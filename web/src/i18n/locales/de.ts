/** German. What is not here is shown in English. */

import type { Translation } from "../language.ts";

const german: Translation = {};

export default german;
