// What is published can be used: every entry, as ESM and as CommonJS, with types that resolve in each way, and nothing
// of Node in what runs elsewhere. Needs `npm run build`.

import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { checkPackage, createPackageFromTarballData } from "@arethetypeswrong/core";
import { publint } from "publint";
import { formatMessage } from "publint/utils";

const root = resolve(import.meta.dirname, "..");
const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
const faults = [];

// Each entry loads in both ways, by its published name, and has the same in it.
const require = createRequire(import.meta.url);
for (const entry of Object.keys(manifest.exports).filter((each) => !each.endsWith(".json"))) {
  const name = manifest.name + entry.slice(1);
  const [esm, cjs] = [await import(name), require(name)];
  const names = (module) =>
    Object.keys(module)
      .filter((each) => each !== "default" && each !== "module.exports")
      .sort()
      .join();
  if (names(esm) !== names(cjs)) faults.push(`${name}: ESM has ${names(esm)}, CommonJS ${names(cjs)}`);
}

// Browsers, Deno, Bun and React Native have no modules of Node's.
for (const file of readdirSync(join(root, "dist")).filter((each) => /\.c?js$/.test(each))) {
  const imports = readFileSync(join(root, "dist", file), "utf8").matchAll(
    /(?:from|require\(|import\()\s*["']([^."'][^"']*)["']/g,
  );
  for (const [, name] of imports) {
    if (
      !Object.keys(manifest.peerDependencies ?? {}).some(
        (each) => name === each || name.startsWith(`${each}/`),
      )
    ) {
      faults.push(`dist/${file} imports ${name}`);
    }
  }
}

for (const message of (await publint({ pkgDir: root, level: "suggestion", strict: true, pack: false }))
  .messages) {
  faults.push(`publint: ${formatMessage(message, manifest, { color: false })}`);
}

const folder = mkdtempSync(join(tmpdir(), "hubbub-pack-"));
try {
  execFileSync("npm", ["pack", "--ignore-scripts", "--silent", "--pack-destination", folder], {
    cwd: root,
    stdio: ["ignore", "ignore", "inherit"],
  });
  const [tarball] = readdirSync(folder);
  const { problems } = await checkPackage(createPackageFromTarballData(readFileSync(join(folder, tarball))));
  // Resolution as in Node before 12 knows no `exports`: only the main entry is for it.
  const real = problems.filter((each) => each.resolutionKind !== "node10" || each.entrypoint === ".");
  for (const problem of real) faults.push(`types: ${JSON.stringify(problem)}`);
} finally {
  rmSync(folder, { recursive: true });
}

for (const fault of faults) console.error(fault);
console.log(faults.length === 0 ? "exports: ok" : `exports: ${faults.length} faults`);
process.exitCode = faults.length === 0 ? 0 : 1;
