import { execFile } from "node:child_process";
import { copyFile, mkdir, mkdtemp, readFile, readdir, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { promisify } from "node:util";

const SOURCES = ["../documents.js", "./connection.js"].map((path) =>
  fileURLToPath(new URL(path, import.meta.url)),
);
const COMPILER = fileURLToPath(new URL("../../node_modules/.bin/relay-compiler", import.meta.url));

/** What relay-compiler makes of the tests' operations and the schema that is served, by name. */
export async function compiled(url) {
  const directory = await mkdtemp(join(tmpdir(), "relay-"));
  const artifacts = join(directory, "artifacts");
  const schema = await (await fetch(new URL("/schema.graphql", url))).text();
  const options = { src: ".", schema: "schema.graphql", language: "javascript" };
  const config = { ...options, eagerEsModules: true, artifactDirectory: "artifacts" };
  await mkdir(artifacts);
  await Promise.all([
    ...SOURCES.map((path) => copyFile(path, join(directory, path.split("/").at(-1)))),
    writeFile(join(directory, "schema.graphql"), schema),
    writeFile(join(directory, "package.json"), '{"type": "module"}'),
    writeFile(join(directory, "relay.config.json"), JSON.stringify(config)),
  ]);
  await promisify(execFile)(COMPILER, ["relay.config.json"], { cwd: directory });
  const names = (await readdir(artifacts)).filter((name) => name.endsWith(".graphql.js"));
  // They import each other as for a bundler, without the extension that Node.js needs.
  for (const path of names.map((name) => join(artifacts, name))) {
    const code = await readFile(path, "utf8");
    await writeFile(path, code.replaceAll(/(from '.*\.graphql)'/g, "$1.js'"));
  }
  const modules = names.map((name) => import(pathToFileURL(join(artifacts, name)).href));
  return Object.fromEntries(
    (await Promise.all(modules)).map((module, i) => [names[i].split(".")[0], module.default]),
  );
}
