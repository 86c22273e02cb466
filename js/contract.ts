/** What each module gives, by its name. A module lives until the signal that it was given: no other end is agreed on. */
import type * as approval from "./modules/approval/index.ts";
import type * as highlight from "./modules/highlight/index.ts";
import type * as math from "./modules/math/index.ts";
import type * as sources from "./modules/sources/index.ts";

export interface Modules {
  approval: typeof approval;
  highlight: typeof highlight;
  math: typeof math;
  sources: typeof sources;
}

export type ModuleName = keyof Modules;

export interface LoadHooks {
  /** Called once when the module takes longer to come than a reader should wait without a word. It may still come. */
  onSilence?(): void;
}

/** Gives a module. The promise may stay open for ever; it is rejected when what came is no such module. */
export type Load = <N extends ModuleName>(name: N, hooks?: LoadHooks) => Promise<Modules[N]>;
