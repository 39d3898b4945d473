import { Kind, type OperationDefinitionNode, parse } from "graphql";

/**
 * The operation that running a document means: the one asked for, or where the document has none of that name, its
 * only one. Null where the document cannot be parsed, or has several: then it is the service's to say what is wrong.
 */
export function operationOf(
  query: string,
  name: string | null | undefined,
): OperationDefinitionNode | null {
  const operations = operationsIn(query);
  const asked = operations.find((operation) => operation.name?.value === name);
  return asked ?? (operations.length === 1 ? (operations[0] ?? null) : null);
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
