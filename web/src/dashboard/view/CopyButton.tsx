/** @jsxImportSource preact */
import { useState } from "preact/hooks";
import { Icon, type IconName } from "./icons";

const MESSAGE_MS = 2000;

interface CopyButtonProps {
  icon: IconName;
  label: string;
  title: string;
  /** Returns what is copied. */
  text: () => string;
  /** Shown if the browser does not allow it, as without HTTPS. */
  refused: string;
}

export function CopyButton({ icon, label, title, text, refused }: CopyButtonProps) {
  const [message, setMessage] = useState<string | null>(null);
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text());
      setMessage("Copied");
    } catch {
      setMessage(refused);
    }
    setTimeout(() => {
      setMessage(null);
    }, MESSAGE_MS);
  };
  return (
    <button type="button" class="button" onClick={() => void copy()} title={title}>
      <Icon name={icon} />
      <span aria-live="polite">{message ?? label}</span>
    </button>
  );
}
