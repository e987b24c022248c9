// The texts of the pages, read from the same files as the program's. A test looks for what a reader sees, and a text that
// is reworded is reworded once. The words that the product is known by are held by tests/article.spec.ts.

import { FluentBundle, FluentResource } from '@fluent/bundle';
import { readFileSync } from 'node:fs';

export type Language = 'fr' | 'en';

/** The text of a message, with its arguments put in. */
export type Words = (id: string, args?: Record<string, string | number>) => string;

function read(language: Language): Words {
  const bundle = new FluentBundle(`${language}-CA`, { useIsolating: false });
  const file = new URL(`../../locales/${language}/reprise.ftl`, import.meta.url);
  const broken = bundle.addResource(new FluentResource(readFileSync(file, 'utf8')));
  if (broken.length > 0) throw broken[0]!;
  return (id, args) => {
    const pattern = bundle.getMessage(id)?.value;
    if (!pattern) throw new Error(`no message ${id} in ${language}`);
    const errors: Error[] = [];
    const text = bundle.formatPattern(pattern, args, errors);
    if (errors.length > 0) throw errors[0]!;
    return text;
  };
}

const both = new Map<Language, Words>();

export function words(language: Language): Words {
  const known = both.get(language) ?? read(language);
  both.set(language, known);
  return known;
}
