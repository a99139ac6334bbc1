namespace Mirror.Oci.Remote;

/// <summary>Sends one request and waits for its answer's headers, no longer than the header timeout.</summary>
internal static class TimedSend
{
    /// <param name="transport">Where it is sent.</param>
    /// <param name="request">Sent as it is; no redirect is followed.</param>
    /// <param name="options">The timeouts.</param>
    /// <param name="server">Who is asked, for messages.</param>
    /// <param name="time">The clock of the timeout.</param>
    /// <param name="cancellationToken">The caller's; its cancellation is thrown, everything else is an answer.</param>
    /// <returns>The response, whatever its status.</returns>
    public static async Task<RemoteAnswer<HttpResponseMessage>> SendAsync(
        HttpMessageInvoker transport,
        HttpRequestMessage request,
        RemoteRegistryOptions options,
        string server,
        TimeProvider time,
        CancellationToken cancellationToken)
    {
        using var timeout = new CancellationTokenSource(options.HeaderTimeout, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(timeout.Token, cancellationToken);
        try
        {
            return await transport.SendAsync(request, either.Token);
        }
        catch (OperationCanceledException e) when (!cancellationToken.IsCancellationRequested && e.InnerException is TimeoutException)
        {
            return new RemoteFailure.Unavailable(
                UnavailableReason.Unreachable, $"{server} can not be reached: no connection within {options.ConnectTimeout.TotalSeconds} s");
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return new RemoteFailure.Unavailable(UnavailableReason.Timeout, $"{server} did not answer in time");
        }
        catch (HttpRequestException e) when (e.InnerException is ForbiddenAddressException forbidden)
        {
            return new RemoteFailure.Unavailable(UnavailableReason.Forbidden, $"{server} was not asked: {forbidden.Message}");
        }
        catch (HttpRequestException e) when (e.HttpRequestError is HttpRequestError.ConfigurationLimitExceeded or HttpRequestError.InvalidResponse)
        {
            return new RemoteFailure.Unavailable(UnavailableReason.BadAnswer, $"{server} answered with what is no usable response: {e.Message}");
        }
        catch (HttpRequestException e)
        {
            return new RemoteFailure.Unavailable(UnavailableReason.Unreachable, $"{server} can not be reached: {(e.InnerException ?? e).Message}");
        }
        catch (IOException e)
        {
            return new RemoteFailure.Unavailable(UnavailableReason.Unreachable, $"{server} can not be reached: {e.Message}");
        }
    }
}
