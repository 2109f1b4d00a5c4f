/** The page of tokens: how it looks; site.ts copies. */
import "./styles/tokens-page.css";
