using System.Globalization;
using Mirror.Sync.Repositories;

namespace Mirror.Sync.Replication;

/// <summary>Leaves a part of the source's quota to others: it is asked before each manifest that is fetched.</summary>
internal sealed class QuotaReserve(ISourceRegistry source, int reserve, TimeProvider time)
{
    /// <summary>Where a registry does not say how long its window is.</summary>
    private static readonly TimeSpan UsualWindow = TimeSpan.FromHours(6);

    /// <exception cref="QuotaReachedException">There is no more left than is to be left.</exception>
    public void Check()
    {
        if (source.Quota is { } quota && quota.Remaining <= reserve
            && quota.SeenAt + (quota.Window ?? UsualWindow) is var end && time.GetUtcNow() < end)
        {
            var at = end.ToString("yyyy-MM-dd HH:mm 'UTC'", CultureInfo.InvariantCulture);
            throw new QuotaReachedException(
                $"{source.Name} allows {quota.Remaining} more of {quota.Limit} pulls, and {reserve} are left to others (reserve): "
                + $"it goes on at {at}",
                end);
        }
    }
}
