// An upstream that shows what reached it. Usage: http_server.js PORT
"use strict";
const crypto = require("node:crypto");
const fs = require("node:fs");
const http = require("node:http");
const path = require("node:path");
const zlib = require("node:zlib");

const TEXT = Buffer.from("0123456789abcdef".repeat(4096));
let connections = 0;
let continued = 0;

const pages = {
  // Size and digest of the body, the trailers behind it, and the head that came.
  async "/digest"(request, response) {
    const digest = crypto.createHash("sha256");
    let size = 0;
    for await (const piece of request) {
      digest.update(piece);
      size += piece.length;
    }
    const { headers, trailers } = request;
    json(response, { size, sha256: digest.digest("hex"), headers, trailers });
  },
  // How many connections were opened, and how often somebody was told to go on.
  "/counts": (request, response) => json(response, { connections, continued }),
  "/gzip"(request, response) {
    const body = zlib.gzipSync(TEXT);
    response.writeHead(200, { "content-encoding": "gzip", "content-length": body.length, etag: '"zipped"', vary: "accept-encoding" });
    response.end(body);
  },
  // Bytes of a text, whole or in part.
  "/text"(request, response) {
    const asked = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? "");
    if (!asked) {
      response.writeHead(200, { "content-length": TEXT.length, "accept-ranges": "bytes" });
      return response.end(TEXT);
    }
    const [from, to] = [Number(asked[1]), Number(asked[2])];
    response.writeHead(206, { "content-range": `bytes ${from}-${to}/${TEXT.length}`, "content-length": to - from + 1 });
    response.end(TEXT.subarray(from, to + 1));
  },
  // A body in pieces, its digest behind it.
  "/trailers"(request, response) {
    response.writeHead(200, { trailer: "x-digest" });
    for (let at = 0; at < TEXT.length; at += 4096) response.write(TEXT.subarray(at, at + 4096));
    response.addTrailers({ "x-digest": crypto.createHash("sha256").update(TEXT).digest("hex") });
    response.end();
  },
  // A page that reports what its browser sees, and what it reported.
  "/page"(request, response) {
    response.writeHead(200, { "content-type": "text/html" });
    response.end(fs.readFileSync(path.join(__dirname, "../browser/page.html")));
  },
  async "/report"(request, response) {
    let text = "";
    for await (const piece of request) text += piece;
    reported = text;
    response.end();
  },
  "/reported"(request, response) {
    const text = reported;
    reported = "";
    response.end(text);
  },
  // Says its number in the path back.
  "/number": (request, response) => json(response, { number: Number(request.url.split("=")[1]) }),
  // One event, the next when another request asks for it.
  "/events"(request, response) {
    response.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-store" });
    response.write("data: first\n\n");
    next = () => response.end("data: second\n\n");
  },
  "/next"(request, response) {
    next();
    response.end("told");
  },
};
let next = () => {};
let reported = "";

function json(response, value) {
  const text = JSON.stringify(value);
  response.writeHead(200, { "content-type": "application/json", "content-length": Buffer.byteLength(text) });
  response.end(text);
}

async function answer(request, response) {
  const page = pages[request.url.split("?")[0]];
  if (page) return page(request, response);
  response.writeHead(404, { "content-length": 0 });
  response.end();
}

const server = http.createServer(answer);
server.on("connection", () => connections++);
server.on("checkContinue", (request, response) => {
  continued++;
  response.writeContinue();
  answer(request, response);
});
server.keepAliveTimeout = 60_000;
server.listen(Number(process.argv[2]), "127.0.0.1");
