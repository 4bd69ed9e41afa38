import {
  findPayload,
  type Payload,
  PayloadMissing,
  templateVersion,
  type UpdateArchive,
  updateArchive,
} from "@berth/template";

/** What a build puts into a template, as this controller has it. */
export interface Contents {
  readonly payload: Payload;
  /** Changes whenever a template built now would be another one. */
  readonly version: string;
}

/** Finds what goes into a template. It cannot change while the controller runs, and is looked for once. */
export class ContentsFinder {
  readonly #read: () => Promise<Contents>;
  #found: Promise<Contents> | undefined;
  #programs: Promise<UpdateArchive> | undefined;

  /** `read`: what there is to build from; by default what was built of Berth itself, and this machine's programs. */
  constructor(read: () => Promise<Contents> = readContents) {
    this.#read = read;
  }

  /** Throws `PayloadMissing` where this controller has nothing to build from. */
  find(): Promise<Contents> {
    this.#found ??= this.#read().catch((error: unknown) => {
      this.#found = undefined;
      throw error;
    });
    return this.#found;
  }

  /** The agent's programs as this controller has them; undefined where it has none. */
  async programs(): Promise<UpdateArchive | undefined> {
    try {
      const { payload } = await this.find();
      this.#programs ??= updateArchive(payload);
      return await this.#programs;
    } catch (error) {
      this.#programs = undefined;
      if (error instanceof PayloadMissing) return undefined;
      throw error;
    }
  }

  /** The version that a build would have; undefined where this controller cannot build. */
  async version(): Promise<string | undefined> {
    try {
      return (await this.find()).version;
    } catch (error) {
      if (error instanceof PayloadMissing) return undefined;
      throw error;
    }
  }
}

async function readContents(): Promise<Contents> {
  const payload = await findPayload();
  return { payload, version: templateVersion(payload) };
}
