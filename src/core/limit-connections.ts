/** A socket, as far as it matters here. */
interface Connection {
  destroy(): unknown;
  once(event: "close", listener: () => void): unknown;
}

interface Listener {
  on(event: "connection", listener: (connection: Connection) => void): unknown;
}

/** Closes the oldest of these connections until `most` are left. */
export function closeOldest<Key>(open: Map<Key, Pick<Connection, "destroy">>, most: number): void {
  for (const [key, connection] of open) {
    if (open.size <= most) return;
    open.delete(key);
    connection.destroy();
  }
}

/**
 * Keeps at most `most` connections open. The oldest goes, not the newcomer: a peer that holds many connections must not lock
 * out the probe that decides if the process is restarted.
 */
export function limitConnections(server: Listener, most: number): void {
  const open = new Map<Connection, Connection>();
  server.on("connection", (connection) => {
    open.set(connection, connection);
    connection.once("close", () => open.delete(connection));
    closeOldest(open, most);
  });
}
