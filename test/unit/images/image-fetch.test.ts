import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { before, test } from 'node:test';
import { ImageLoader } from '../../../server/images/loader.ts';
import { sightglassVersion } from '../../../server/version.ts';
import { serve } from '../../support/local-server.ts';
import { circlePng, toDataUrl } from '../../support/pictures.ts';
import { imageError, nextConnectionClosed, routeInternetTo } from './picture-server.ts';

const loader = new ImageLoader({ allowPrivateUrls: true, maxBytes: 50_000, maxRedirects: 3 });
const { signal } = new AbortController();
let png: Buffer;

before(async () => {
  png = await circlePng('blue');
});

test('an image is downloaded and recognized by its bytes, not its type', async (t) => {
  const { url } = await serve(t, (_, response) => {
    response.setHeader('content-type', 'text/html').end(png);
  });
  const { dataUrl } = await loader.load(`${url}/a.jpg?size=1#top`, signal);
  assert.equal(String(dataUrl), toDataUrl(png, 'image/png'));
});

test('a download sends our name, asks for an uncompressed image, and sends nothing else', async (t) => {
  let headers: unknown;
  const { url, port } = await serve(t, (request, response) => {
    headers = request.headers;
    response.end(png);
  });
  await loader.load(url, signal);
  assert.deepEqual(headers, {
    host: `127.0.0.1:${port}`,
    connection: 'close',
    'user-agent': `Sightglass/${sightglassVersion()}`,
    accept: 'image/*',
    'accept-encoding': 'identity',
  });
});

test('the contact is sent to image hosts', async (t) => {
  const named = new ImageLoader({ allowPrivateUrls: true, contact: 'ada@example.org' });
  let agent: unknown;
  const { url } = await serve(t, (request, response) => {
    agent = request.headers['user-agent'];
    response.end(png);
  });
  await named.load(url, signal);
  assert.equal(agent, `Sightglass/${sightglassVersion()} (ada@example.org)`);
});

for (const [status, retryAfter, expected] of [
  [401, undefined, /requires signing in/],
  [403, undefined, /refused this download: set a contact with --contact/],
  [429, '7', /limits the download rate: try again in 7 s/],
  [503, 'soon', /is busy: try again later/],
  [404, undefined, /no image at this URL/],
] as const) {
  test(`the error for a ${status} from an image host says what to do`, async (t) => {
    const { url } = await serve(t, (_, response) => {
      response
        .writeHead(status, retryAfter === undefined ? {} : { 'retry-after': retryAfter })
        .end();
    });
    await assert.rejects(loader.load(url, signal), (error: Error) => {
      assert.match(error.message, expected);
      return imageError('image_http_error')(error);
    });
  });
}

test('redirects of all five kinds are followed, including relative ones', async (t) => {
  const five = new ImageLoader({ allowPrivateUrls: true });
  const { url } = await serve(t, (request, response) => {
    const next = [301, 302, 303, 307, 308][Number(request.url?.slice(1))];
    if (next === undefined) response.end(png);
    else response.writeHead(next, { location: `./${Number(request.url?.slice(1)) + 1}` }).end('x');
  });
  assert.equal((await five.load(`${url}/0`, signal)).width, 128);
});

test('a redirect loop ends', async (t) => {
  let requests = 0;
  const { url } = await serve(t, (_, response) => {
    requests++;
    response.writeHead(302, { location: '/again' }).end();
  });
  await assert.rejects(loader.load(url, signal), imageError('image_too_many_redirects'));
  assert.equal(requests, 4);
});

const REDIRECTS: [string, Parameters<typeof imageError>[0]][] = [
  ['file:///etc/passwd', 'image_scheme_not_allowed'],
  ['data:image/png;base64,AAAA', 'image_scheme_not_allowed'],
  ['ftp://127.0.0.1/a.png', 'image_scheme_not_allowed'],
  ['http://user:password@127.0.0.1/', 'image_invalid_url'],
  ['http://', 'image_invalid_url'],
];
for (const [location, code] of REDIRECTS) {
  test(`a redirect to ${location} is refused`, async (t) => {
    const { url } = await serve(t, (_, response) => response.writeHead(302, { location }).end());
    await assert.rejects(loader.load(url, signal), imageError(code));
  });
}

for (const [status, headers] of [
  [404, {}],
  [500, {}],
  [302, {}],
  [206, {}],
  [200, { 'content-encoding': 'gzip' }],
] as const) {
  test(`${status} with ${JSON.stringify(headers)} is not accepted as an image`, async (t) => {
    const { url } = await serve(t, (_, response) => response.writeHead(status, headers).end(png));
    await assert.rejects(loader.load(`${url}/a.png?key=secret`, signal), (error: Error) => {
      assert.match(error.message, /127\.0\.0\.1:\d+\/a\.png/);
      return imageError('image_http_error')(error) && !error.message.includes('secret');
    });
  });
}

test('a content-length over the limit is refused before the body is read', async (t) => {
  const { url } = await serve(t, (_, response) => {
    response.writeHead(200, { 'content-length': 50_001 }).flushHeaders();
  });
  await assert.rejects(loader.load(url, signal), { code: 'image_too_large', status: 413 });
});

test('a body without a length is read only up to the limit', async (t) => {
  const { server, url } = await serve(t, (_, response) => {
    const write = () => {
      while (!response.destroyed && response.write(Buffer.alloc(10_000)));
    };
    response.on('drain', write);
    write();
  });
  const closed = nextConnectionClosed(server);
  await assert.rejects(loader.load(url, signal), imageError('image_too_large'));
  await closed;
});

/** Answers each connection with `text` and then ends it. */
async function answerRaw(t: test.TestContext, text: string) {
  const server = createServer((socket) => socket.on('error', () => {}).end(text));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  return `http://127.0.0.1:${Object(server.address()).port}`;
}

test('a body shorter than its content-length is not accepted', async (t) => {
  const url = await answerRaw(t, 'HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\nshort');
  await assert.rejects(loader.load(url, signal), imageError('image_unreachable'));
});

test('a server that does not speak HTTP is unreachable', async (t) => {
  const url = await answerRaw(t, 'SSH-2.0-OpenSSH_9.9\r\n');
  await assert.rejects(loader.load(url, signal), imageError('image_unreachable'));
});

test('a closed port is unreachable, and the error does not reveal the address', async (t) => {
  const { server, port } = await serve(t, () => {});
  server.close();
  await assert.rejects(
    loader.load(`http://localhost:${port}/a.png?key=secret`, signal),
    (error: Error) => {
      assert.match(error.message, /localhost:\d+\/a\.png: ECONNREFUSED/);
      return imageError('image_unreachable')(error) && !/127|::1|secret/.test(error.message);
    },
  );
});

for (const [what, answer] of [
  ['never answers', 0],
  ['stops in mid-body', 1],
] as const) {
  test(`a download from a server that ${what} times out and closes its connection`, async (t) => {
    const quick = new ImageLoader({ allowPrivateUrls: true, timeoutMs: 100 });
    const { server, url } = await serve(t, (_, response) => {
      if (answer === 1) response.write(png.subarray(0, 50));
    });
    const closed = nextConnectionClosed(server);
    await assert.rejects(quick.load(url, signal), imageError('image_timeout'));
    await closed;
  });
}

test('an abort during a download closes the connection', async (t) => {
  const abort = new AbortController();
  const { server, url } = await serve(t, (_, response) => response.write(png.subarray(0, 50)));
  const closed = nextConnectionClosed(server);
  const loading = loader.load(url, abort.signal);
  await once(server, 'request');
  const reason = new Error('the client has gone');
  abort.abort(reason);
  await assert.rejects(loading, reason);
  await closed;
});

for (const scheme of ['http', 'https']) {
  test(`a resolver that never answers does not block the download (${scheme})`, async () => {
    const abort = new AbortController();
    const asked = Promise.withResolvers<void>();
    const lookup = () => {
      asked.resolve();
      return new Promise<never>(() => {});
    };
    const stuck = new ImageLoader({}, { lookup });
    const loading = stuck.load(`${scheme}://pictures.test/`, abort.signal);
    await asked.promise;
    abort.abort(new Error('enough'));
    await assert.rejects(loading, { message: 'enough' });
  });
}

test('a name is resolved once, and that address is used', async (t) => {
  const { port } = await serve(t, (_, response) => response.end(png));
  let lookups = 0;
  const lookup = async () => {
    lookups++;
    return [{ address: '127.0.0.1', family: 4 }];
  };
  const pinned = new ImageLoader({ allowPrivateUrls: true }, { lookup });
  await pinned.load(`http://pictures.test:${port}/`, signal);
  assert.equal(lookups, 1);
});

const PUBLIC = { address: '93.184.215.14', family: 4 };
const PRIVATE = { address: '10.0.0.1', family: 4 };

test('a public name is fetched from its public address', async (t) => {
  const { port } = await serve(t, (_, response) => response.end(png));
  const reached = routeInternetTo(t, port);
  const publicOnly = new ImageLoader({}, { lookup: async () => [PUBLIC] });
  await publicOnly.load('http://pictures.test/', signal);
  assert.deepEqual(reached, [PUBLIC.address]);
});

for (const target of [
  'http://127.0.0.1/',
  'http://2130706433/',
  'http://[::ffff:a00:1]/',
  'http://localhost:11434/',
  'http://169.254.169.254/latest/meta-data/',
  'https://internal.test/',
]) {
  test(`a public page cannot redirect to ${target}`, async (t) => {
    const { port } = await serve(t, (_, response) => {
      response.writeHead(302, { location: target }).end();
    });
    const reached = routeInternetTo(t, port);
    const lookup = async (name: string) => [name === 'internal.test' ? PRIVATE : PUBLIC];
    await assert.rejects(
      new ImageLoader({}, { lookup }).load('http://pictures.test/', signal),
      imageError('image_address_not_allowed'),
    );
    assert.deepEqual(reached, [PUBLIC.address]);
  });
}

test('a name that becomes private between two redirects is refused (DNS rebinding)', async (t) => {
  const { port } = await serve(t, (_, response) => {
    response.writeHead(302, { location: '/again' }).end();
  });
  const reached = routeInternetTo(t, port);
  const answers = [PUBLIC, PRIVATE];
  const lookup = async () => answers.splice(0, 1);
  await assert.rejects(
    new ImageLoader({}, { lookup }).load('http://pictures.test/', signal),
    imageError('image_address_not_allowed'),
  );
  assert.deepEqual(reached, [PUBLIC.address]);
});

test('a name with a public and a private address is refused', async () => {
  const mixed = new ImageLoader({}, { lookup: async () => [PUBLIC, PRIVATE] });
  await assert.rejects(
    mixed.load('http://pictures.test/', signal),
    imageError('image_address_not_allowed'),
  );
});

test('an endless error page is not read, and its connection is closed', async (t) => {
  const { server, url } = await serve(t, (_, response) => {
    response.writeHead(404).write('not found');
  });
  const closed = nextConnectionClosed(server);
  await assert.rejects(loader.load(url, signal), imageError('image_http_error'));
  await closed;
});
