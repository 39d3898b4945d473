// Plain elements, since the dashboard is Preact and GraphiQL is React.
import "./dialog.css";

export interface Question {
  /** Why the visitor is asked. */
  reason: string;
  /** Where a visitor can sign in without knowing a token. */
  issuer: string | null;
  goToIssuer: () => Promise<void>;
  /** Returns why a token cannot be used, or null if it is good, and kept. */
  useToken: (token: string) => Promise<string | null>;
}

/** Asks the visitor to sign in. Returns whether a token was given. The page stays as it is behind the dialog. */
export function askToSignIn({ reason, issuer, goToIssuer, useToken }: Question): Promise<boolean> {
  const dialog = element("dialog", { className: "sign-in" });
  dialog.setAttribute("aria-labelledby", "sign-in-title");
  const alert = element("p", { role: "alert" });
  const input = element("input", {
    id: "sign-in-token",
    type: "password",
    autocomplete: "off",
    required: true,
  });
  const form = element("form");
  const submit = button("Use token", "submit");
  if (issuer === null) submit.className = "main";
  form.append(
    element("label", { htmlFor: input.id, textContent: "Token, kept until this tab is closed" }),
    input,
    submit,
  );
  const later = button("Not now", "button");
  dialog.append(
    element("h2", { id: "sign-in-title", textContent: "Sign in" }),
    element("p", { textContent: reason }),
  );
  if (issuer !== null) {
    const go = button(`Sign in at ${new URL(issuer).host}`, "button");
    go.className = "main issuer";
    go.addEventListener("click", () => {
      goToIssuer().catch((error: unknown) => {
        alert.textContent = `The issuer cannot be reached. ${messageOf(error)}`;
      });
    });
    dialog.append(go);
  }
  dialog.append(form, alert, later);
  document.body.append(dialog);
  return new Promise((resolve) => {
    let done = false;
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(done);
    });
    later.addEventListener("click", () => {
      dialog.close();
    });
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      alert.textContent = "";
      void useToken(input.value.trim()).then((problem) => {
        alert.textContent = problem ?? "";
        done = problem === null;
        if (done) dialog.close();
      });
    });
    dialog.showModal();
  });
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function button(text: string, type: "button" | "submit"): HTMLButtonElement {
  return element("button", { textContent: text, type });
}

function element<Name extends keyof HTMLElementTagNameMap>(
  name: Name,
  properties: Partial<HTMLElementTagNameMap[Name]> = {},
): HTMLElementTagNameMap[Name] {
  return Object.assign(document.createElement(name), properties);
}
