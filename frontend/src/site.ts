/** Every page: the styles, and the choice between light and dark. */
import "./styles/base.css";
