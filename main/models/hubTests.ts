/** Each setting on the way to the hub, tried over connections of its own, so that what is wrong has a name. */
import { X509Certificate } from 'node:crypto';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';

import { catalog } from '../contract/domain.ts';
import type { HubFinding, HubPart, HubTest } from '../contract/domain.ts';
import { AppError } from '../contract/errors.ts';
import { Hub } from './hub.ts';
import type { Network } from './network.ts';

/** undici tells of every tunnel that a proxy has opened. */
const proxyChannel = 'undici:proxy:connected';

const publicModel = catalog[0]?.repo ?? '';

const tests: Readonly<Record<HubPart, (network: Network) => Promise<HubFinding>>> = {
  endpoint: testEndpoint,
  token: testToken,
  proxy: testProxy,
  caFile: testCertificates,
};

/** What is wrong is in the answer, not thrown. */
export async function testHub(network: Network, part: HubPart): Promise<HubTest> {
  const startedAt = performance.now();
  const own = network.fresh(part === 'token');
  const done = (result: Pick<HubTest, 'finding' | 'problem'>): HubTest => ({
    part,
    endpoint: own.endpoint,
    durationMs: Math.round(performance.now() - startedAt),
    ...result,
  });
  try {
    own.assertAllowed();
    return done({ finding: await tests[part](own), problem: null });
  } catch (error) {
    if (error instanceof AppError) return done({ finding: null, problem: error.info });
    throw error;
  } finally {
    await own.close();
  }
}

async function testEndpoint(network: Network): Promise<HubFinding> {
  await new Hub(network).greet(publicModel);
  return { kind: 'answered' };
}

async function testToken(network: Network): Promise<HubFinding> {
  if (network.token === null) return { kind: 'unset' };
  try {
    return { kind: 'account', user: await new Hub(network).account() };
  } catch (error) {
    if (!(error instanceof AppError) || error.code !== 'HUB_UNAUTHORISED') throw error;
    const host = new URL(network.hubUrl).host;
    throw new AppError('HUB_UNAUTHORISED', `${host} does not know this token. Copy it anew from your account there.`);
  }
}

/** A tunnel is what is asked of the proxy; how the hub answers at its other end is another setting's matter. */
async function testProxy(network: Network): Promise<HubFinding> {
  if (!network.hasProxy) return { kind: 'unset' };
  let tunnelled = false;
  const onTunnel = (): void => void (tunnelled = true);
  subscribe(proxyChannel, onTunnel);
  try {
    const reply = await network.open(network.hubUrl, { purpose: 'test', what: 'answer' });
    await reply.body?.cancel();
    reply.end(0);
  } catch (error) {
    if (!tunnelled) throw error;
  } finally {
    unsubscribe(proxyChannel, onTunnel);
  }
  return { kind: tunnelled ? 'proxied' : 'direct' };
}

async function testCertificates(network: Network): Promise<HubFinding> {
  const text = network.extraCertificates;
  if (text === null) return { kind: 'unset' };
  const certificates = text.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  if (certificates.length === 0) throw new AppError('CERTIFICATE', 'The certificate file is cut off. Copy it anew.');
  for (const pem of certificates) assertValid(pem);
  // Whether they are the right ones only the hub can tell.
  const reply = await network.open(network.hubUrl, { purpose: 'test', what: 'answer' });
  await reply.body?.cancel();
  reply.end(0);
  return { kind: 'certificates', count: certificates.length };
}

function assertValid(pem: string): void {
  let certificate: X509Certificate;
  try {
    certificate = new X509Certificate(pem);
  } catch (cause) {
    throw new AppError('CERTIFICATE', 'The certificate file is damaged. Copy it anew.', { cause });
  }
  if (Date.parse(certificate.validTo) >= Date.now()) return;
  const name = certificate.subject.replaceAll('\n', ', ');
  throw new AppError(
    'CERTIFICATE',
    `The certificate of ${name} was valid until ${certificate.validTo}. Ask for the newer one.`,
  );
}
