// Every screen there is: the pages and the dialogs above them. Tests go through all of them, and so do the pictures.

import type { Api } from './api.ts';

/** The pages by their names, as the sample data fills them; dialogs are named after the page they stand above. */
export async function screens(api: Api): Promise<Record<string, string>> {
  const volume = (await api.volume('ROOT-465'))!;
  const data = (await api.volume('DATA-466'))!;
  const detached = (await api.volume('essai-fr'))!;
  const [snapshot] = await api.snapshots();
  const all: Record<string, string> = {
    home: '/',
    instances: '/instances',
    'instances-create': '/instances?dialog=create-instance',
    volumes: '/volumes',
    'volumes-none-found': '/volumes?find=zzz',
    'volumes-create': '/volumes?dialog=create-volume',
    'volumes-import': '/volumes?dialog=import-volume',
    'volumes-snapshot': `/volumes?dialog=take-snapshot&volume=${volume.id}`,
    'volumes-delete': `/volumes?dialog=delete-volume&volume=${detached.id}`,
    'volumes-delete-several': `/volumes?dialog=delete-volume&volume=${volume.id}&volume=${data.id}`,
    volume: `/volumes/${volume.id}`,
    snapshots: '/snapshots',
    templates: '/templates',
    'templates-import': '/templates?dialog=import-template',
    activity: '/activity',
    search: '/search?q=root',
    'search-none': '/search?q=zzz',
    tasks: '/tasks',
    zones: '/zones',
    profile: '/profile',
    organization: '/organization',
    kit: '/kit',
    help: '/help/snapshot-or-recovery-point',
    missing: '/nowhere',
  };
  if (snapshot) {
    const { id } = snapshot;
    all.snapshot = `/snapshots/${id}`;
    for (const dialog of ['restore', 'delete-snapshot', 'create-template', 'verify']) {
      all[`snapshots-${dialog}`] = `/snapshots?dialog=${dialog}&snapshot=${id}`;
    }
  }
  const [template] = await api.templates();
  if (template) all['templates-delete'] = `/templates?dialog=delete-template&template=${template.id}`;
  for (const [name, instance] of Object.entries({ running: await running(api), stopped: await stopped(api) })) {
    if (!instance) continue;
    const page = `/instances/${instance.id}`;
    all[`instance-${name}`] = page;
    for (const tab of ['volumes', 'points', 'serial', 'activity']) all[`instance-${name}-${tab}`] = `${page}/${tab}`;
    const acts = name === 'running' ? ['stop', 'force-stop', 'reboot', 'create-point'] : ['start', 'attach', 'delete-instance', 'create-point'];
    for (const act of acts) all[`instance-${name}-${act}`] = `${page}?dialog=${act}&instance=${instance.id}`;
    const { points } = await api.points(instance);
    const [first] = points;
    if (!first) continue;
    const point = (first as unknown as { id: string }).id;
    all[`instance-${name}-point`] = `${page}/points/${point}`;
    all[`instance-${name}-points-by-date`] = `${page}/points?view=time`;
    all[`instance-${name}-points-compare`] = `${page}/points/compare?from=${point}&to=here`;
    for (const act of ['rename-point', 'delete-point', 'delete-branch', 'volume-from-point', 'template-from-point', 'rollback']) {
      all[`instance-${name}-${act}`] = `${page}/points/${point}?dialog=${act}&instance=${instance.id}&point=${point}`;
    }
  }
  return all;
}

const running = async (api: Api) => (await api.instances()).find(({ state }) => state === 'running');
const stopped = async (api: Api) => (await api.instances()).find(({ state }) => state === 'stopped');

/** The sample data with what no sample has: a snapshot, and names that strain a page. */
export async function prepare(api: Api): Promise<void> {
  const volume = (await api.volume('ROOT-465'))!;
  if (!(await api.snapshots()).length) await api.takeSnapshot(volume, 'avant-inventaire');
  for (const name of strange) if (!(await api.volume(name))) await api.createVolume(name);
}

/** Names as people give them. */
export const strange = [
  'sauvegarde-trimestrielle-de-la-base-de-donnees-des-commandes-et-des-livraisons-du-site-de-Chicoutimi',
  'قاعدة بيانات الطلبات (2026)',
  '🍁 érable 🫎 – 楓',
];
