export async function operatorImage(say: (line: string) => void): Promise<string> { say('x'); return Promise.resolve(''); }
