/** An object as -o json or -o yaml shows it: without what nobody reads. */
export async function renderObject(object: object, form: string): Promise<string> {
  const copy = structuredClone(object) as {metadata?: {managedFields?: unknown}; items?: {metadata?: {managedFields?: unknown}}[]};
  delete copy.metadata?.managedFields;
  for (const item of copy.items ?? []) delete item.metadata?.managedFields;
  if (form === 'json') return JSON.stringify(copy, undefined, 2);
  const {stringify} = await import('yaml');
  return stringify(copy).trimEnd();
}
