/** Which build this is: a hash of the sources, which js/build/bundle.mjs puts in the place of this file. */
export const BUILD_ID: string = "sources";
