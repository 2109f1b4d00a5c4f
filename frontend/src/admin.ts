/** Django's admin in the colours of the house. */
import "./styles/admin.css";
