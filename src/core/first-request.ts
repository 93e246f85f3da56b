/**
 * Passes on the first request of each connection that `applies` holds for, and makes its answer end the connection. Node parses
 * what is pipelined behind it, and hundreds of requests fit into one packet: each would cost as much as the first.
 */
export function firstRequestOnly<Req extends { readonly socket: object }, Res extends { shouldKeepAlive: boolean }>(
  onRequest: (req: Req, res: Res) => void | Promise<void>,
  applies: (req: Req) => boolean = () => true,
): (req: Req, res: Res) => void {
  const ending = new WeakSet<object>();
  return (req, res) => {
    if (ending.has(req.socket)) return;
    if (applies(req)) {
      ending.add(req.socket);
      res.shouldKeepAlive = false;
    }
    void onRequest(req, res);
  };
}
