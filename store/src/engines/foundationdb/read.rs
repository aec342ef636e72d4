//! Reading: keys all at once, ranges page by page.

use bytes::Bytes;
use futures_util::future::{try_join, try_join_all};

use super::cluster::{Isolation, Page, Trx};
use super::fault::Fault;
use super::subspace::Subspace;
use crate::engines::fetched::Fetched;
use crate::op::{KeyRange, Reads};

/// Everything that was declared, fetched side by side.
pub(super) async fn declared<T: Trx>(trx: &T, space: &Subspace, reads: Reads) -> Result<Fetched, Fault> {
    let isolation = Isolation::Serializable;
    let values = try_join_all(reads.keys.iter().map(|key| trx.get(&space.key(key), isolation)));
    let ranges = try_join_all(reads.ranges.iter().map(|wanted| range(trx, space, wanted, isolation)));
    let (values, ranges) = try_join(values, ranges).await?;
    Ok(Fetched {
        values: reads.keys.into_iter().zip(values).collect(),
        ranges: reads.ranges.into_iter().zip(ranges).collect(),
    })
}

/// A range's entries, in its order, up to its limit.
pub(super) async fn range<T: Trx>(
    trx: &T,
    space: &Subspace,
    range: &KeyRange,
    isolation: Isolation,
) -> Result<Vec<(Vec<u8>, Bytes)>, Fault> {
    let mut request = space.request(range);
    let mut entries = Vec::new();
    // To FoundationDB a limit of 0 is none, and a range that ends before it begins an error.
    while request.limit > 0 && request.begin < request.end {
        let Page { entries: page, more } = trx.page(&request, isolation).await?;
        let Some((last, _)) = page.last() else {
            // Nothing, and more to come: there is no telling from where.
            return if more { Err(Fault::OPERATION_FAILED) } else { Ok(entries) };
        };
        if request.reverse {
            request.end = last.clone();
        } else {
            request.begin = [last, [0].as_slice()].concat();
        }
        request.limit = request.limit.saturating_sub(page.len());
        entries.extend(page.into_iter().map(|(key, value)| (space.strip(key), value)));
        if !more {
            break;
        }
    }
    Ok(entries)
}
