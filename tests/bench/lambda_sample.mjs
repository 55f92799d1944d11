// The job that a function on Node does, in the way of the vendor's sample: the pages of one window,
// each wrapped into an OTLP/JSON request as it came, to the collector. It keeps no state, mends
// nothing and has no budget of calls.
const { API, APP_ID, ENVIRONMENT_ID, EMAIL, TOKEN, COLLECTOR, WINDOW_MS } = process.env;
const authorization = "Basic " + Buffer.from(`${EMAIL}:${TOKEN}`).toString("base64");

async function fetchPage(startDate, endDate, cursor) {
  const query = new URLSearchParams({ environmentId: ENVIRONMENT_ID, startDate, endDate });
  if (cursor) query.set("cursor", cursor);
  const answer = await fetch(`${API}/v1/app/logs/${APP_ID}?${query}`, {
    headers: { authorization, accept: "application/json" },
  });
  if (!answer.ok) throw new Error(`the platform answers ${answer.status}`);
  return answer.json();
}

async function send(logRecords) {
  const resource = { attributes: [{ key: "service.name", value: { stringValue: APP_ID } }] };
  const answer = await fetch(`${COLLECTOR}/v1/logs`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ resourceLogs: [{ resource, scopeLogs: [{ scope: {}, logRecords }] }] }),
  });
  if (!answer.ok) throw new Error(`the collector answers ${answer.status}`);
  await answer.arrayBuffer();
}

export const handler = async () => {
  const end = Date.now();
  const dates = [new Date(end - Number(WINDOW_MS)).toISOString(), new Date(end).toISOString()];
  let cursor, exported = 0;
  do {
    const page = await fetchPage(...dates, cursor);
    if (page.appLogs.length > 0) await send(page.appLogs);
    exported += page.appLogs.length;
    cursor = page.cursor;
  } while (cursor);
  return { exported };
};
