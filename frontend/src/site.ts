/** Every page: the styles, the choice between light and dark, and what forms and times need. */
import "./styles/base.css";
import { wireCopyButtons } from "./copy";
import { wireForms } from "./forms";
import { wireMenus } from "./menu";
import { showMoments } from "./moments";
import { wireThemeSwitch } from "./theme";

wireThemeSwitch();
wireMenus(document);
wireForms(document);
wireCopyButtons(document);
showMoments(document);
