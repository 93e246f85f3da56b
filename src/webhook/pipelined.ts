import type { RequestListener, ServerResponse } from "node:http";
import type { Socket } from "node:net";

/**
 * Ends pipelined requests with their connection. A response that waits for its turn on a connection has no socket yet,
 * and Node tells it nothing when the connection goes: it would count as under way for ever, and its work go on for nobody.
 */
export function endWithConnection(onRequest: RequestListener): RequestListener {
  const waiting = new WeakMap<Socket, Set<ServerResponse>>();

  const waitingOn = (socket: Socket): Set<ServerResponse> => {
    const known = waiting.get(socket);
    if (known !== undefined) return known;
    const made = new Set<ServerResponse>();
    waiting.set(socket, made);
    socket.once("close", () => {
      for (const res of made) if (res.socket === null) close(res);
    });
    return made;
  };

  return (req, res) => {
    if (res.socket === null) {
      const others = waitingOn(req.socket);
      others.add(res);
      res.once("close", () => others.delete(res));
    }
    onRequest(req, res);
  };
}

/** As Node itself does with the response whose turn it is. */
function close(res: ServerResponse): void {
  res.destroy();
  res.emit("close");
}
