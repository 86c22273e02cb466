// The style sheet of every card; a module brings its own.
import markdown from "../markdown/markdown.css";
import base from "../styles/base.css";
import blocks from "../styles/blocks.css";
import prose from "../styles/prose.css";
import tokens from "../styles/tokens.css";

export const cardStyles = [tokens, base, markdown, blocks, prose].join("\n");
