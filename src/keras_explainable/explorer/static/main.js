// The page of the server.
import { explore } from "./explorer.js";
import { ServerConnection } from "./server_connection.js";

explore(document, (receive, lost) => new ServerConnection(receive, lost));
