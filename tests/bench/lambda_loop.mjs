// The least that runs a handler in AWS Lambda's Runtime API: node lambda_loop.mjs HANDLER.mjs
import http from "node:http";
import { pathToFileURL } from "node:url";

const agent = new http.Agent({ keepAlive: true });
const base = `http://${process.env.AWS_LAMBDA_RUNTIME_API}/2018-06-01/runtime/invocation/`;

function call(method, path, body) {
  return new Promise((resolve, reject) => {
    const request = http.request(base + path, { method, agent }, (answer) => {
      const parts = [];
      answer.on("data", (part) => parts.push(part));
      answer.on("end", () => resolve({ id: answer.headers["lambda-runtime-aws-request-id"], body: Buffer.concat(parts) }));
    });
    request.on("error", reject);
    request.end(body);
  });
}

const { handler } = await import(pathToFileURL(process.argv[2]));
for (;;) {
  const { id, body } = await call("GET", "next");
  try {
    const result = await handler(JSON.parse(body.toString()));
    await call("POST", `${id}/response`, JSON.stringify(result));
  } catch (error) {
    await call("POST", `${id}/error`, JSON.stringify({ errorMessage: String(error), errorType: "Function.Failed", stackTrace: [] }));
  }
}
