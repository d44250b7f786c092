import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';

const CONFIG = `
[req]
distinguished_name = name
prompt = no
[name]
CN = 127.0.0.1
[authority]
basicConstraints = CA:TRUE
[server]
basicConstraints = CA:FALSE
subjectAltName = IP:127.0.0.1
`;

const { failed } = await execa('openssl', ['version'], { reject: false });
/** Why these tests are skipped. */
export const noOpenssl = failed ? 'openssl is not installed' : false;

/** A company's certificate authority, and a certificate of it for 127.0.0.1. */
export class TestAuthority {
  readonly #folder: string;
  readonly tls: { key: string; cert: string };

  private constructor(folder: string, tls: { key: string; cert: string }) {
    this.#folder = folder;
    this.tls = tls;
  }

  static async create(): Promise<TestAuthority> {
    const folder = await mkdtemp(join(tmpdir(), 'sightglass-authority-'));
    await writeFile(join(folder, 'config'), CONFIG);
    const openssl = (line: string) => execa('openssl', line.split(' '), { cwd: folder });
    const request = 'req -config config -newkey rsa:2048 -nodes -sha256';
    await openssl(
      `${request} -x509 -extensions authority -subj /CN=Company -days 2 -keyout ca.key -out ca.pem`,
    );
    await openssl(`${request} -keyout server.key -out server.csr`);
    await openssl(
      'x509 -req -in server.csr -CA ca.pem -CAkey ca.key -set_serial 1 -sha256 -days 2 ' +
        '-extfile config -extensions server -out server.pem',
    );
    const [key, cert] = await Promise.all(
      ['server.key', 'server.pem'].map((name) => readFile(join(folder, name), 'utf8')),
    );
    return new TestAuthority(folder, { key: key ?? '', cert: cert ?? '' });
  }

  /** The authority's own certificate, to be trusted. */
  get file(): string {
    return join(this.#folder, 'ca.pem');
  }

  [Symbol.asyncDispose](): Promise<void> {
    return rm(this.#folder, { recursive: true });
  }
}
