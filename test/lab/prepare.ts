import {buildAll} from './binaries.ts';
import type {GoModule} from './binaries.ts';
import {baseImages} from './images.ts';
import {ensurePrerequisites} from './prerequisites.ts';
import {containerdTemplate} from './template.ts';

/** What a lab is started from; all of it can be used by several labs. */
export interface Prepared {
  /** The directories of the commands, by Go module. */
  built: ReadonlyMap<GoModule, string>;
  /** A containerd directory with all images, for the nodes. */
  template: string;
}

/** Makes everything that a lab needs, where it is not there from an earlier time. */
export async function prepareLab(images: readonly string[], say: (line: string) => void): Promise<Prepared> {
  await ensurePrerequisites(say);
  const built = await buildAll(say);
  const template = await containerdTemplate(await baseImages(built), images, say);
  return {built, template};
}
