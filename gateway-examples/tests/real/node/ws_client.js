// Talks to ws_server.js. Usage: ws_client.js URL CHECK, where URL is such as ws://127.0.0.1:8080
"use strict";
const assert = require("node:assert/strict");
const crypto = require("node:crypto");
const { once } = require("node:events");
const { setTimeout: pause } = require("node:timers/promises");
const WebSocket = require("ws");

process.env.NODE_TLS_REJECT_UNAUTHORIZED = "0";
process.removeAllListeners("warning");
const [url, check] = process.argv.slice(2);

async function open(path = "/", protocols = [], options = {}) {
  const socket = new WebSocket(url + path, protocols, { perMessageDeflate: false, ...options });
  socket.heard = [];
  socket.on("message", (data, isBinary) => {
    socket.heard.push(isBinary ? data : data.toString());
    socket.emit("heard");
  });
  await once(socket, "open");
  return socket;
}

async function hear(socket) {
  while (socket.heard.length === 0) await once(socket, "heard");
  return socket.heard.shift();
}

async function closes(socket) {
  const [code, reason] = await once(socket, "close");
  return `${code} ${reason}`;
}

async function ask(what) {
  const answer = await fetch(url.replace(/^ws/, "http") + "/state");
  return (await answer.json())[what];
}

const checks = {
  // Text, bytes, large and empty messages, in order.
  async messages() {
    const socket = await open();
    for (const text of ["hello", "", "ärger \u{1f600}", "x".repeat(70_000)]) {
      socket.send(text);
      assert.equal(await hear(socket), text);
    }
    for (const size of [0, 1, 125, 126, 65_535, 65_536, 1 << 20, 4 << 20]) {
      const bytes = crypto.randomBytes(size);
      socket.send(bytes);
      assert.ok(bytes.equals(await hear(socket)), `${size} bytes`);
    }
    for (let number = 0; number < 2_000; number++) socket.send(`message ${number}`);
    for (let number = 0; number < 2_000; number++) assert.equal(await hear(socket), `message ${number}`);
    socket.close(1000, "done");
    assert.equal(await closes(socket), "1000 done");
  },

  // One message in many frames, with a ping between them.
  async fragments() {
    const socket = await open();
    const pieces = Array.from({ length: 100 }, (_, number) => `piece ${number},`);
    pieces.forEach((piece, index) => {
      if (index === 50) socket.ping("between");
      socket.send(piece, { fin: index === pieces.length - 1 });
    });
    assert.equal(await hear(socket), "heard ping between");
    assert.equal(await hear(socket), pieces.join(""));
    socket.close();
    await closes(socket);
  },

  // Pings from both ends are answered by the other end.
  async pings() {
    const socket = await open();
    socket.ping("from the client");
    const [answer] = await once(socket, "pong");
    assert.equal(answer.toString(), "from the client");
    assert.equal(await hear(socket), "heard ping from the client");
    socket.send("ping me");
    const [asked] = await once(socket, "ping");
    assert.equal(asked.toString(), "from the server");
    socket.close();
    await closes(socket);
  },

  // Codes and reasons of a close, from either end, and a connection that is cut.
  async closing() {
    for (const code of [1000, 1001, 1003, 1011, 3000, 4999]) {
      const socket = await open();
      socket.send(`close ${code}`);
      assert.equal(await closes(socket), `${code} as you wish`);
    }
    const leaving = await open();
    leaving.close(4321, "I leave");
    assert.equal(await closes(leaving), "4321 I leave");
    while ((await ask("lastClose")) !== "4321 I leave") await pause(20);
    const cut = await open();
    cut.send("cut");
    assert.equal(await closes(cut), "1006 ", "a cut is not a clean end");
    const gone = await open();
    gone.terminate();
    while ((await ask("open")) !== 0) await pause(20);
    assert.equal(await ask("lastClose"), "1006 ", "the server hears of a client that is gone");
  },

  // What the two ends agree on in the handshake is theirs.
  async handshake() {
    const agreed = await open("/", ["echo.v1", "echo.v2"]);
    assert.equal(agreed.protocol, "echo.v2");
    agreed.close();
    const compressed = await open("/", [], { perMessageDeflate: { threshold: 0 } });
    assert.match(compressed.extensions, /permessage-deflate/);
    const text = "again and ".repeat(50_000);
    compressed.send(text);
    assert.equal(await hear(compressed), text);
    compressed.close();
    const greeted = await open("/greets");
    assert.equal(await hear(greeted), "before you said anything");
    greeted.close();
    const refused = new WebSocket(url + "/no");
    const [, response] = await once(refused, "unexpected-response");
    assert.equal(response.statusCode, 403);
    response.resume();
    await Promise.all([agreed, compressed, greeted].map((socket) => socket.readyState === 3 || closes(socket)));
  },

  // Two hundred at once; each hears its own messages only.
  async crowd() {
    const sockets = await Promise.all(Array.from({ length: 200 }, () => open()));
    assert.equal(await ask("open"), 200);
    await Promise.all(
      sockets.map(async (socket, index) => {
        for (let number = 0; number < 20; number++) {
          socket.send(`${index}: ${number} ${"x".repeat(number * 100)}`);
          assert.equal(await hear(socket), `${index}: ${number} ${"x".repeat(number * 100)}`);
        }
        const end = closes(socket);
        socket.close(1000);
        assert.equal(await end, "1000 ");
      }),
    );
    while ((await ask("open")) !== 0) await pause(20);
  },

  // Says one thing, prints what it hears and how the socket ends.
  async watch() {
    const socket = await open();
    socket.send("hello");
    console.log(await hear(socket));
    console.log(await closes(socket));
  },
};

setTimeout(() => assert.fail(`${check} took more than 60 s`), 60_000).unref();
checks[check]().then(
  () => {
    console.log(`${check}: as it should be`);
    process.exit(0);
  },
  (error) => {
    console.error(error);
    process.exit(1);
  },
);
