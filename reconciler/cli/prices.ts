// The price lists a command goes by. Lists that are not there are wrong usage.
import { catalogFrom, type LoadedCatalog, openCatalog } from '../../backends/catalog/source.ts';
import { Failure } from '../../schemas/errors.ts';
import { CommandFailure } from './failure.ts';

export async function openPrices(...from: Parameters<typeof catalogFrom>): Promise<LoadedCatalog> {
  try {
    return await openCatalog(catalogFrom(...from));
  } catch (error) {
    if (error instanceof Failure) throw new CommandFailure(error.message, error.fix);
    throw error;
  }
}
