import { Kind, type OperationDefinitionNode, parse } from "graphql";

/**
 * Returns the operation to run: the one with this name, or else the document's only operation. Returns null if the document
 * cannot be parsed or the choice is ambiguous; the service then reports the error.
 */
export function operationOf(
  query: string,
  name: string | null | undefined,
): OperationDefinitionNode | null {
  const operations = operationsIn(query);
  const named = operations.find((operation) => operation.name?.value === name);
  return named ?? (operations.length === 1 ? (operations[0] ?? null) : null);
}

function operationsIn(query: string): OperationDefinitionNode[] {
  try {
    return parse(query, { noLocation: true }).definitions.filter(
      (definition) => definition.kind === Kind.OPERATION_DEFINITION,
    );
  } catch {
    return [];
  }
}
