// A WebSocket server that says back what it hears. Usage: ws_server.js PORT
"use strict";
const http = require("node:http");
const { WebSocketServer } = require("ws");

const sockets = new WebSocketServer({
  noServer: true,
  maxPayload: 16 << 20,
  perMessageDeflate: { threshold: 0 },
  handleProtocols: (offered) => (offered.has("echo.v2") ? "echo.v2" : false),
});
let lastClose = "none";

const server = http.createServer((request, response) => {
  // What became of the socket that closed last; how many are open.
  response.end(JSON.stringify({ lastClose, open: sockets.clients.size }));
});

server.on("upgrade", (request, socket, head) => {
  if (request.url === "/no") {
    socket.end("HTTP/1.1 403 Forbidden\r\ncontent-length: 2\r\nconnection: close\r\n\r\nno");
    return;
  }
  sockets.handleUpgrade(request, socket, head, (client) => {
    if (request.url === "/greets") client.send("before you said anything");
    client.on("error", () => {});
    client.on("close", (code, reason) => (lastClose = `${code} ${reason}`));
    client.on("ping", (data) => client.send(`heard ping ${data}`));
    client.on("message", (data, isBinary) => {
      const text = isBinary ? "" : data.toString();
      if (text === "ping me") return client.ping("from the server");
      if (text === "cut") return client.terminate();
      if (text.startsWith("close ")) return client.close(Number(text.slice(6)), "as you wish");
      client.send(data, { binary: isBinary });
    });
  });
});

server.listen(Number(process.argv[2]), "127.0.0.1");
