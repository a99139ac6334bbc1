using System.Data.Common;
using Mirror.Caching;
using Mirror.Oci.Remote;

namespace Mirror.Replication;

/// <summary>What fails in this mirror's own store is said in the words in which a registry's failures are.</summary>
internal static class OurStore
{
    public static async Task<RemoteAnswer<T>> AskAsync<T>(Func<Task<RemoteAnswer<T>>> ask)
    {
        try
        {
            return await ask();
        }
        catch (DownloadFailedException e)
        {
            return e.Failure ?? new RemoteFailure.Unavailable(UnavailableReason.BadAnswer, e.Message);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or DbException)
        {
            return new RemoteFailure.Unavailable(UnavailableReason.ServerError, $"this mirror's store does not do it: {e.Message}");
        }
    }

    public static Task<RemoteAnswer<T>> Ask<T>(Func<RemoteAnswer<T>> ask) => AskAsync(() => Task.FromResult(ask()));
}
