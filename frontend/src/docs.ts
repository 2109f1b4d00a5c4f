/** The page of the API: Swagger UI brings its own script; this is how it looks here. */
import "./styles/docs.css";
