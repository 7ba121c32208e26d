// Node's three clients. Usage: http_client.js URL CHECK
"use strict";
const assert = require("node:assert/strict");
const crypto = require("node:crypto");
const { once } = require("node:events");
const http = require("node:http");
const http2 = require("node:http2");
const https = require("node:https");

process.env.NODE_TLS_REJECT_UNAUTHORIZED = "0";
process.removeAllListeners("warning");
const [url, check] = process.argv.slice(2);
const { request: ask, Agent } = url.startsWith("https:") ? https : http;
const sha256 = (bytes) => crypto.createHash("sha256").update(bytes).digest("hex");

async function whole(stream) {
  const pieces = [];
  for await (const piece of stream) pieces.push(piece);
  return Buffer.concat(pieces);
}

// One exchange over HTTP/1.1; `send` writes the body.
async function exchange(path, options, send = (request) => request.end()) {
  const request = ask(url + path, options);
  send(request);
  const [response] = await once(request, "response");
  const body = await whole(response);
  return { request, response, body };
}

// One exchange over HTTP/2.
async function stream(session, headers, send = (request) => request.end()) {
  const request = session.request(headers, { endStream: false });
  let trailers = {};
  request.on("trailers", (fields) => (trailers = fields));
  send(request);
  const [head] = await once(request, "response");
  const body = await whole(request);
  return { head, body, trailers };
}

const checks = {
  // An agent that keeps connections uses one for all.
  async agent() {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    for (let number = 0; number < 100; number++) {
      const { request, body } = await exchange(`/number?n=${number}`, { agent });
      assert.equal(JSON.parse(body).number, number);
      assert.equal(request.reusedSocket, number > 0, `request ${number}`);
    }
    const bytes = crypto.randomBytes(300_000);
    const { body } = await exchange("/digest", { agent, method: "POST" }, (request) => {
      for (let at = 0; at < bytes.length; at += 7_001) request.write(bytes.subarray(at, at + 7_001));
      request.end();
    });
    assert.equal(JSON.parse(body).sha256, sha256(bytes));
    agent.destroy();
  },

  // Trailers pass in both directions.
  async trailers() {
    const { body, response } = await exchange("/trailers", { headers: { te: "trailers" } });
    assert.equal(response.trailers["x-digest"], sha256(body));
    const sent = await exchange("/digest", { method: "POST", headers: { trailer: "x-after", "transfer-encoding": "chunked" } }, (request) => {
      request.write("one");
      request.addTrailers({ "x-after": "the body" });
      request.end("two");
    });
    assert.deepEqual(JSON.parse(sent.body).trailers, { "x-after": "the body" });
    assert.equal(JSON.parse(sent.body).sha256, sha256("onetwo"));
  },

  // Many streams on one connection: answers, uploads and trailers stay apart.
  async http2() {
    const session = http2.connect(url, { rejectUnauthorized: false });
    await once(session, "connect");
    const answers = Array.from({ length: 300 }, (_, number) => stream(session, { ":path": `/number?n=${number}` }));
    (await Promise.all(answers)).forEach(({ body }, number) => assert.equal(JSON.parse(body).number, number));
    const uploads = Array.from({ length: 20 }, (_, number) => {
      const bytes = crypto.randomBytes(100_000 + number);
      const sent = stream(session, { ":path": "/digest", ":method": "POST" }, (request) => request.end(bytes));
      return sent.then(({ body }) => assert.equal(JSON.parse(body).sha256, sha256(bytes)));
    });
    await Promise.all(uploads);
    const { body, trailers } = await stream(session, { ":path": "/trailers", te: "trailers" });
    assert.equal(trailers["x-digest"], sha256(body));
    const empty = await stream(session, { ":path": "/text", ":method": "HEAD" });
    assert.equal(empty.body.length, 0);
    assert.equal(empty.head["content-length"], "65536");
    session.close();
  },

  // What browsers use: compressed, streamed, aborted.
  async fetch() {
    const zipped = await fetch(url + "/gzip");
    assert.equal((await zipped.text()).length, 65_536);
    assert.equal(zipped.headers.get("etag"), '"zipped"');
    const bytes = crypto.randomBytes(500_000);
    const body = new ReadableStream({
      start(controller) {
        for (let at = 0; at < bytes.length; at += 50_000) controller.enqueue(bytes.subarray(at, at + 50_000));
        controller.close();
      },
    });
    const sent = await (await fetch(url + "/digest", { method: "POST", body, duplex: "half" })).json();
    assert.equal(sent.sha256, sha256(bytes));
    await Promise.all(
      Array.from({ length: 100 }, async (_, number) => {
        const answer = await fetch(`${url}/number?n=${number}`);
        assert.equal((await answer.json()).number, number);
      }),
    );
    const leaving = new AbortController();
    const events = await fetch(url + "/events", { signal: leaving.signal });
    const reader = events.body.getReader();
    assert.equal(Buffer.from((await reader.read()).value).toString(), "data: first\n\n");
    await (await fetch(url + "/next")).text();
    assert.equal(Buffer.from((await reader.read()).value).toString(), "data: second\n\n");
    const again = await fetch(url + "/events", { signal: leaving.signal });
    leaving.abort();
    await assert.rejects(again.text(), { name: "AbortError" });
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
