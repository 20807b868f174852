// Runs every audit of graphql-http against a server, and prints one JSON object an audit.
// The URL and an Authorization value are the arguments.
import { auditServer } from 'graphql-http';

const [url, authorization] = process.argv.slice(-2);
const fetchFn = (input, init = {}) =>
  fetch(input, { ...init, headers: { ...init.headers, authorization } });
const results = await auditServer({ url, fetchFn });
for (const { id, name, status, reason } of results) {
  console.log(JSON.stringify({ id, name, status, reason }));
}
