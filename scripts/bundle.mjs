// How the program is put into few files; the package and the image differ in what they leave outside.
import { createRequire } from "node:module";
import { dirname } from "node:path";
import { build } from "esbuild";
import { root } from "./prepare.mjs";

/** Reached into by path: it stays a package everywhere. */
const reachedInto = ["acme-client", "acme-client/*"];
/** Installed beside the package by npm. */
const sdks = ["@aws-sdk/*", "tencentcloud-sdk-nodejs-dnspod"];

/**
 * What is never used costs time at every start, and memory: of Express only its router is taken in (src/webhook/app.ts says
 * why), without the application, its parsers of bodies and their tables; of zod's messages, one of forty languages.
 */
const slim = {
  name: "slim",
  setup(build) {
    const express = dirname(createRequire(import.meta.url).resolve("express/package.json"));
    build.onResolve({ filter: /^express$/ }, () => ({ path: "express", namespace: "router-alone" }));
    build.onLoad({ filter: /^/, namespace: "router-alone" }, () => ({
      contents: 'module.exports = { Router: require("router") };',
      resolveDir: express,
    }));
    build.onLoad({ filter: /zod\/v4\/locales\/index\.js$/ }, ({ path }) => ({
      contents: 'export { default as en } from "./en.js";',
      resolveDir: dirname(path),
    }));
  },
};

/** `sdks: true` takes the SDKs of the providers in as well. Answers what esbuild tells about its inputs. */
export async function bundle(outdir, { sdks: withSdks = false, small = false } = {}) {
  const { metafile } = await build({
    absWorkingDir: root,
    entryPoints: {
      "cli/main": "src/cli/main.ts",
      library: "src/library.ts",
      testing: "src/testing/index.ts",
      "plugin-hook": "src/plugins/hook.ts",
    },
    outdir,
    chunkNames: "chunks/[name]-[hash]",
    bundle: true,
    splitting: true,
    format: "esm",
    platform: "node",
    target: "node20.19",
    mainFields: ["module", "main"],
    external: withSdks ? reachedInto : [...reachedInto, ...sdks],
    // Names stay: errors are told by them, and stack traces are read.
    minifyWhitespace: small,
    minifySyntax: small,
    metafile: true,
    plugins: [slim],
    // For the CommonJS packages among what is bundled.
    banner: {
      js: 'import { createRequire as dns01Require } from "node:module"; const require = dns01Require(import.meta.url);',
    },
    logLevel: "warning",
  });
  return metafile;
}
