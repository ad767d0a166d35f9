import type { Name } from '../../protocol/generated.ts';
import { language, t } from '../i18n/index.ts';
import { fullName } from './names.ts';

/** A name in the reader's script, kept apart from the direction of the text around it. */
export function PersonName({ name }: { name: Name | undefined }) {
  return <bdi>{fullName(name, language.value) || t('common.unknownPerson')}</bdi>;
}
