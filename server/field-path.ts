/**
 * The path of a field in a request, such as `messages.0.content`: names and indexes, joined with dots.
 * In a name, a dot is written as `%2E` and a percent sign as `%25`, so every path names one field.
 */
export function toFieldPath(path: readonly PropertyKey[]): string {
  return path.map((name) => escapeName(String(name))).join('.');
}

export function escapeName(name: string): string {
  return name.replaceAll('%', '%25').replaceAll('.', '%2E');
}

/** The names of a path, unescaped. */
export function splitFieldPath(path: string): string[] {
  return path.split('.').map((name) => name.replaceAll('%2E', '.').replaceAll('%25', '%'));
}
