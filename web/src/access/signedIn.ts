// Where the issuer sends the visitor back to.
import { askBeginning } from "./beginning";
import { comeBack } from "./oidc";

try {
  const { oidc } = await askBeginning(location.href);
  if (oidc === null) throw new Error("The service does not take part in it.");
  // The code leaves the address and the history with it.
  location.replace(await comeBack(oidc, location.href));
} catch (error) {
  const root = document.getElementById("root");
  const reason = error instanceof Error ? error.message : String(error);
  if (root) root.textContent = `You are not signed in. ${reason}`;
  document.getElementById("back")?.removeAttribute("hidden");
}
