import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { gzip } from "node:zlib";
import { defineConfig, type Plugin } from "vite";

const COMPRESS_BYTES_MIN = 1024;

/** Writes `<file>.gz` next to every text file, so that the server does not have to compress it. */
function gzipSiblings(): Plugin {
  const compress = promisify(gzip);
  return {
    name: "gzip-siblings",
    async writeBundle({ dir }, bundle) {
      const names = Object.keys(bundle).filter((name) => /\.(html|js|css|svg|json|md)$/.test(name));
      for (const path of names.map((name) => join(dir ?? "", name))) {
        const content = await readFile(path);
        if (content.length >= COMPRESS_BYTES_MIN) {
          await writeFile(`${path}.gz`, await compress(content, { level: 9 }));
        }
      }
    },
  };
}

export default defineConfig({
  // Relative, so that the pages also work behind a path prefix.
  base: "./",
  plugins: [gzipSiblings()],
  worker: { format: "es" },
  build: {
    outDir: "../kvs_graphql/web/static",
    emptyOutDir: true,
    assetsDir: "assets",
    license: { fileName: "assets/licenses.md" },
    // The editor is one large chunk.
    chunkSizeWarningLimit: 4096,
    rolldownOptions: {
      input: ["dashboard.html", "graphiql.html", "signed-in.html"],
      onLog(level, log, handle) {
        // "use client" matters only for server-side rendering.
        if (log.code !== "MODULE_LEVEL_DIRECTIVE") handle(level, log);
      },
    },
  },
});
