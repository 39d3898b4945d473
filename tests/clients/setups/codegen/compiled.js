// Generates types for a client in TypeScript from a schema, and compiles it with them.
import { execFile } from "node:child_process";
import { cp, mkdir, mkdtemp, readFile, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { promisify } from "node:util";

const CONFIG = fileURLToPath(new URL("codegen.ts", import.meta.url));
const PACKAGES = fileURLToPath(new URL("../../node_modules", import.meta.url));

/** Returns the module that client.ts in a folder becomes; `schema` is the address of a service, or a file. */
export async function compiled(folder, schema) {
  const directory = await mkdtemp(join(tmpdir(), "codegen-"));
  const run = (tool, ...options) =>
    promisify(execFile)(join(PACKAGES, ".bin", tool), options, { cwd: directory });

  await mkdir(join(directory, "src"));
  await symlink(PACKAGES, join(directory, "node_modules"));
  await writeFile(join(directory, "package.json"), '{"type": "module"}');
  for (const name of ["operations.ts", "client.ts"]) {
    await cp(new URL(name, folder), join(directory, "src", name));
  }
  const config = await readFile(CONFIG, "utf8");
  await writeFile(
    join(directory, "codegen.ts"),
    config.replace("http://127.0.0.1:8000/graphql", schema),
  );
  await run("graphql-codegen", "--config", "codegen.ts");
  const options = ["--strict", "--skipLibCheck", "--module", "nodenext", "--target", "es2022"];
  await run("tsc", ...options, "--rootDir", "src", "--outDir", "compiled", "src/client.ts");
  return import(pathToFileURL(join(directory, "compiled", "client.js")).href);
}
