/**
 * Passes on the first request of each connection that `applies` holds for, and makes its answer end the connection. One that
 * sends a second request before is destroyed: Node parses what is pipelined, hundreds of requests fit into one packet, and
 * while their connection is open they stay in memory.
 */
export function firstRequestOnly<
  Req extends { readonly socket: { destroy(): unknown } },
  Res extends { shouldKeepAlive: boolean },
>(
  onRequest: (req: Req, res: Res) => void | Promise<void>,
  applies: (req: Req) => boolean = () => true,
): (req: Req, res: Res) => void {
  const ending = new WeakSet<object>();
  return (req, res) => {
    if (ending.has(req.socket)) {
      req.socket.destroy();
      return;
    }
    if (applies(req)) {
      ending.add(req.socket);
      res.shouldKeepAlive = false;
    }
    void onRequest(req, res);
  };
}
