// The version of this command; a test holds it equal to package.json's, which is too large to bundle for one word.
export const VERSION = "0.1.0";
