// Ask before a send, and report an opt-out, with `graphql-request` in Node.
//
// node ask-with-graphql-request.mjs URL KEY OPERATIONS, where OPERATIONS is the directory graphql/operations: a server
// in production mode runs the documents that ship with it, and no others.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { GraphQLClient } from 'graphql-request';

const [url, key, operations] = process.argv.slice(-3);
const client = new GraphQLClient(url, { headers: { authorization: `Bearer ${key}` } });

async function run(operation, wanted) {
  const text = readFileSync(join(operations, `${operation}.graphql`), 'utf8');
  return client.request(text, { input: { controller: 'opencontact', ...wanted } });
}

const message = { purpose: 'client-marketing', channel: 'email', addressClass: 'business' };
const people = ['pat@acme.example', 'kim@initech.example'];
const told = await run('opt-out', {
  whom: { address: 'Kim@Initech.example' },
  source: 'crm-form',
  idempotencyKey: 'form-4711',
});
console.log('opt-out:', told.optOut.outcome);
const { decisions } = await run('decisions', { ...message, addresses: people });
people.forEach((person, position) => {
  // Send only on a clear yes; whatever else comes, or fails to come, is a no.
  const { allowed, reason } = decisions[position];
  console.log(`${person}: ${allowed === true ? 'send' : `do not send (${reason})`}`);
});
