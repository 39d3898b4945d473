import { useGraphiQL, useGraphiQLActions } from "@graphiql/react";
import { useEffect, useRef } from "react";

/** Moves the cursor into the named operation once the document is parsed for the first time. */
export function SelectOperation({ name }: { name: string }) {
  const editor = useGraphiQL((state) => state.queryEditor);
  const operations = useGraphiQL((state) => state.operations);
  const actions = useGraphiQLActions();
  const done = useRef(false);
  useEffect(() => {
    const model = editor?.getModel();
    if (done.current || !editor || !model || !operations) return;
    done.current = true;
    const start = operations.find((operation) => operation.name?.value === name)?.loc?.start;
    if (start === undefined) return;
    const position = model.getPositionAt(start);
    editor.setPosition(position);
    editor.revealPositionInCenter(position);
    actions.setOperationName(name);
  }, [editor, operations, name, actions]);
  return null;
}
